// Verifies one Sigstore bundle again and again with sigstore-go on one core, for a comparison with waybill.
//
//	sigstore-go-loop BUNDLE TRUSTED_ROOT ARTIFACT IDENTITY ISSUER
//
// Each line on standard input is a number of verifications; the answer is the nanoseconds they took, so that the
// caller can alternate with a contender of its own. Every verification parses the bundle and asks for one signed
// certificate timestamp, one log entry, one trusted time and the identity.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

type subject struct {
	bundle   []byte
	artifact []byte
	verifier *verify.Verifier
	identity verify.CertificateIdentity
}

func load(args []string) (*subject, error) {
	raw, err := os.ReadFile(args[0])
	if err != nil {
		return nil, err
	}
	trusted, err := root.NewTrustedRootFromPath(args[1])
	if err != nil {
		return nil, err
	}
	artifact, err := os.ReadFile(args[2])
	if err != nil {
		return nil, err
	}
	verifier, err := verify.NewVerifier(trusted,
		verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1),
		verify.WithObserverTimestamps(1))
	if err != nil {
		return nil, err
	}
	identity, err := verify.NewShortCertificateIdentity(args[4], "", args[3], "")
	if err != nil {
		return nil, err
	}
	return &subject{raw, artifact, verifier, identity}, nil
}

func (s *subject) verify() error {
	var parsed bundle.Bundle
	if err := parsed.UnmarshalJSON(s.bundle); err != nil {
		return err
	}
	policy := verify.NewPolicy(
		verify.WithArtifact(bytes.NewReader(s.artifact)),
		verify.WithCertificateIdentity(s.identity))
	_, err := s.verifier.Verify(&parsed, policy)
	return err
}

func run() error {
	if len(os.Args) != 6 {
		return fmt.Errorf("five arguments are needed: BUNDLE TRUSTED_ROOT ARTIFACT IDENTITY ISSUER")
	}
	runtime.GOMAXPROCS(1)
	s, err := load(os.Args[1:])
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		count, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil {
			return err
		}
		start := time.Now()
		for range count {
			if err := s.verify(); err != nil {
				return err
			}
		}
		fmt.Println(time.Since(start).Nanoseconds())
	}
	return lines.Err()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
