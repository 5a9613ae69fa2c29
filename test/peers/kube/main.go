// kubetest bundles what a webhook test needs of Kubernetes into one program: the store, the API server and the
// controllers that turn a Deployment into Pods. The first word picks the part, the rest are its own flags.
package main

import (
	"fmt"
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	kubeapiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	parts := map[string]func() int{
		"etcd": func() int {
			etcdmain.Main(os.Args)
			return 0
		},
		"apiserver":   func() int { return cli.Run(kubeapiserver.NewAPIServerCommand()) },
		"controllers": func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) },
	}
	if len(os.Args) > 1 {
		if part, known := parts[os.Args[1]]; known {
			os.Args = append([]string{"kubetest-" + os.Args[1]}, os.Args[2:]...)
			os.Exit(part())
		}
	}
	fmt.Fprintln(os.Stderr, "usage: kubetest etcd|apiserver|controllers [FLAGS]")
	os.Exit(2)
}
