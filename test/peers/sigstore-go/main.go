// Verifies Sigstore bundles with sigstore-go, for comparisons with waybill.
//
//	sigstore-go-loop BUNDLE TRUSTED_ROOT ARTIFACT IDENTITY ISSUER
//
// verifies one bundle again and again on one core. Each line on standard input is a number of verifications; the
// answer is the nanoseconds they took, so that the caller can alternate with a contender of its own.
//
//	sigstore-go-loop judge TRUSTED_ROOT
//
// says what sigstore-go thinks of bundles. Each line on standard input is a question in JSON (type question), each
// line of the answer a JSON string: empty when the bundle is accepted, else the refusal.
//
// Every verification parses the bundle and asks for one log entry and one trusted time; of certificates for one
// signed certificate timestamp and the identity besides.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
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

// Bytes are base64. With a key (PEM) the identity is not asked for.
type question struct {
	Bundle   []byte `json:"bundle"`
	Artifact []byte `json:"artifact"`
	Identity string `json:"identity"`
	Issuer   string `json:"issuer"`
	Key      string `json:"key"`
}

func keyMaterial(pem string) (root.TrustedMaterial, error) {
	key, err := cryptoutils.UnmarshalPEMToPublicKey([]byte(pem))
	if err != nil {
		return nil, err
	}
	verifier, err := signature.LoadDefaultVerifier(key)
	if err != nil {
		return nil, err
	}
	expiring := root.NewExpiringKey(verifier, time.Time{}, time.Time{})
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) {
		return expiring, nil
	}), nil
}

func (q *question) judge(trusted root.TrustedMaterial) error {
	options := []verify.VerifierOption{verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1)}
	policy := []verify.PolicyOption{}
	if q.Key == "" {
		identity, err := verify.NewShortCertificateIdentity(q.Issuer, "", q.Identity, "")
		if err != nil {
			return err
		}
		options = append(options, verify.WithSignedCertificateTimestamps(1))
		policy = append(policy, verify.WithCertificateIdentity(identity))
	} else {
		key, err := keyMaterial(q.Key)
		if err != nil {
			return err
		}
		trusted = root.TrustedMaterialCollection{trusted, key}
		policy = append(policy, verify.WithKey())
	}
	verifier, err := verify.NewVerifier(trusted, options...)
	if err != nil {
		return err
	}
	var parsed bundle.Bundle
	if err := parsed.UnmarshalJSON(q.Bundle); err != nil {
		return err
	}
	_, err = verifier.Verify(&parsed, verify.NewPolicy(verify.WithArtifact(bytes.NewReader(q.Artifact)), policy...))
	return err
}

// A defect of the verifier is an answer too: nothing is accepted by it.
func (q *question) answer(trusted root.TrustedMaterial) (text string) {
	defer func() {
		if defect := recover(); defect != nil {
			text = fmt.Sprintf("panic: %v", defect)
		}
	}()
	if err := q.judge(trusted); err != nil {
		return "refused: " + err.Error()
	}
	return ""
}

func judge(path string) error {
	trusted, err := root.NewTrustedRootFromPath(path)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		if err := out.Encode(q.answer(trusted)); err != nil {
			return err
		}
	}
	return lines.Err()
}

func run() error {
	if len(os.Args) == 3 && os.Args[1] == "judge" {
		return judge(os.Args[2])
	}
	if len(os.Args) != 6 {
		return errors.New("arguments: BUNDLE TRUSTED_ROOT ARTIFACT IDENTITY ISSUER, or judge TRUSTED_ROOT")
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
