// Copies an image as podman, skopeo and CRI-O do, under a policy, with the library all three use.
//
//	containers-image POLICY REGISTRIES.D SOURCE TARGET [KEY PASSPHRASE_FILE]
//
// SOURCE and TARGET are names with their transport (docker://…, oci:…); registries are spoken to in plain HTTP. With
// a key in cosign's form the copy is signed. Ends with 1 and the reason when the policy refuses the source.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/containers/image/v5/copy"
	"github.com/containers/image/v5/signature"
	"github.com/containers/image/v5/signature/signer"
	"github.com/containers/image/v5/signature/sigstore"
	"github.com/containers/image/v5/transports/alltransports"
	"github.com/containers/image/v5/types"
)

func run(args []string) error {
	if len(args) != 4 && len(args) != 6 {
		return errors.New("arguments: POLICY REGISTRIES.D SOURCE TARGET [KEY PASSPHRASE_FILE]")
	}
	policy, err := signature.NewPolicyFromFile(args[0])
	if err != nil {
		return err
	}
	policyContext, err := signature.NewPolicyContext(policy)
	if err != nil {
		return err
	}
	defer func() { _ = policyContext.Destroy() }()
	source, err := alltransports.ParseImageName(args[2])
	if err != nil {
		return err
	}
	target, err := alltransports.ParseImageName(args[3])
	if err != nil {
		return err
	}
	system := &types.SystemContext{
		RegistriesDirPath:           args[1],
		DockerInsecureSkipTLSVerify: types.OptionalBoolTrue,
	}
	options := &copy.Options{SourceCtx: system, DestinationCtx: system}
	// Signatures cannot go everywhere; what is copied here is the image.
	options.RemoveSignatures = true
	if len(args) == 6 {
		passphrase, err := os.ReadFile(args[5])
		if err != nil {
			return err
		}
		one, err := sigstore.NewSigner(sigstore.WithPrivateKeyFile(args[4], []byte(strings.TrimSpace(string(passphrase)))))
		if err != nil {
			return err
		}
		defer one.Close()
		options.Signers = []*signer.Signer{one}
	}
	_, err = copy.Image(context.Background(), policyContext, target, source, options)
	return err
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
