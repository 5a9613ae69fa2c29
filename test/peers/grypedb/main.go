// grypedb writes a vulnerability database of Grype, with Grype's own library, from a folder of OSV files: what Grype
// downloads elsewhere, made from the records a comparison is about. Entries after the first of a record are numbered
// `ID#2`, since an id is unique there; who reads the matches cuts the number off.
//
// usage: grypedb OSV_DIR OUT_DIR [SYNTHETIC]; SYNTHETIC adds so many npm advisories about packages nobody has.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
)

type event struct {
	Introduced   string `json:"introduced"`
	Fixed        string `json:"fixed"`
	LastAffected string `json:"last_affected"`
}

type record struct {
	ID       string   `json:"id"`
	Aliases  []string `json:"aliases"`
	Summary  string   `json:"summary"`
	Affected []struct {
		Package struct {
			Name      string `json:"name"`
			Ecosystem string `json:"ecosystem"`
		} `json:"package"`
		Ranges []struct {
			Type   string  `json:"type"`
			Events []event `json:"events"`
		} `json:"ranges"`
		Versions []string `json:"versions"`
	} `json:"affected"`
}

// A kind of package as Grype names it, and its order of versions.
type kind struct{ ecosystem, format string }

var languages = map[string]kind{
	"Go":        {"go-module", "go"},
	"npm":       {"npm", "semver"},
	"PyPI":      {"python", "python"},
	"crates.io": {"rust-crate", "semver"},
	"Maven":     {"java-archive", "maven"},
	"RubyGems":  {"gem", "gem"},
	"Packagist": {"php-composer", "semver"},
	"NuGet":     {"dotnet", "semver"},
	"Bitnami":   {"bitnami", "bitnami"},
}

// Versions of products follow no scheme.
var product = kind{"", "unknown"}

type system struct {
	kind
	name, release string
}

var systems = map[string]system{
	"Debian":  {kind{"deb", "dpkg"}, "debian", "debian"},
	"Ubuntu":  {kind{"deb", "dpkg"}, "ubuntu", "ubuntu"},
	"Alpine":  {kind{"apk", "apk"}, "alpine", "alpine"},
	"Red Hat": {kind{"rpm", "rpm"}, "redhat", "rhel"},
	// Grype looks AlmaLinux up as the distribution it is built from.
	"AlmaLinux": {kind{"rpm", "rpm"}, "redhat", "rhel"},
}

// kindOf tells what an OSV ecosystem is in Grype; nil where it has no name there.
func kindOf(ecosystem string) (*kind, *v6.OperatingSystem) {
	family, release, _ := strings.Cut(ecosystem, ":")
	if found, ok := languages[family]; ok {
		return &found, nil
	}
	found, ok := systems[family]
	if !ok {
		return nil, nil
	}
	major, minor, _ := strings.Cut(strings.TrimPrefix(release, "v"), ".")
	os := &v6.OperatingSystem{Name: found.name, ReleaseID: found.release, MajorVersion: major, MinorVersion: minor}
	return &found.kind, os
}

// rangesOf turns events into constraints. "From the start" has no lower bound: that is how OSV means it.
func rangesOf(events []event, format string) []v6.Range {
	var ranges []v6.Range
	low, open := "", false
	add := func(upper string, fix *v6.Fix) {
		parts := []string{}
		if low != "" {
			parts = append(parts, ">="+low)
		}
		if upper != "" {
			parts = append(parts, upper)
		}
		ranges = append(ranges, v6.Range{
			Fix:     fix,
			Version: v6.Version{Type: format, Constraint: strings.Join(parts, ",")},
		})
		low, open = "", false
	}
	for _, one := range events {
		switch {
		case one.Introduced != "":
			low, open = one.Introduced, true
			if low == "0" {
				low = ""
			}
		case one.Fixed != "" && open:
			add("<"+one.Fixed, &v6.Fix{Version: one.Fixed, State: v6.FixedStatus})
		case one.LastAffected != "" && open:
			add("<="+one.LastAffected, nil)
		}
	}
	if open {
		add("", nil)
	}
	return ranges
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type collection struct {
	provider         *v6.Provider
	systems          map[string]*v6.OperatingSystem
	vulnerabilities  []*v6.VulnerabilityHandle
	affectedPackages []*v6.AffectedPackageHandle
	// Products, and what they are vulnerable to: the ecosystem `CPE`, names `vendor:product`.
	products []*v6.AffectedCPEHandle
}

func (c *collection) vulnerability(id, summary string, aliases []string) *v6.VulnerabilityHandle {
	return &v6.VulnerabilityHandle{
		Name: id, Status: v6.VulnerabilityActive, ProviderID: c.provider.ID, Provider: c.provider,
		BlobValue: &v6.VulnerabilityBlob{ID: id, Description: summary, Aliases: aliases},
	}
}

func (c *collection) addProduct(id, summary, name string, aliases []string, ranges []v6.Range) {
	vendor, product, _ := strings.Cut(name, ":")
	c.products = append(c.products, &v6.AffectedCPEHandle{
		Vulnerability: c.vulnerability(id, summary, aliases),
		CPE:           &v6.Cpe{Part: "a", Vendor: vendor, Product: product},
		BlobValue:     &v6.PackageBlob{CVEs: aliases, Ranges: ranges},
	})
}

func (c *collection) add(id, summary, name string, kind kind, os *v6.OperatingSystem, aliases []string, ranges []v6.Range) {
	handle := c.vulnerability(id, summary, aliases)
	if os != nil {
		key := os.Name + " " + os.MajorVersion + "." + os.MinorVersion
		if known, ok := c.systems[key]; ok {
			os = known
		}
		c.systems[key] = os
	}
	c.vulnerabilities = append(c.vulnerabilities, handle)
	c.affectedPackages = append(c.affectedPackages, &v6.AffectedPackageHandle{
		Vulnerability: handle, OperatingSystem: os,
		Package:   &v6.Package{Ecosystem: kind.ecosystem, Name: name},
		BlobValue: &v6.PackageBlob{CVEs: aliases, Ranges: ranges},
	})
}

func (c *collection) read(one record) (skipped int) {
	count := 0
	for _, affected := range one.Affected {
		isProduct := affected.Package.Ecosystem == "CPE"
		kind, os := kindOf(affected.Package.Ecosystem)
		if isProduct {
			kind = &product
		}
		if kind == nil {
			skipped++
			continue
		}
		var ranges []v6.Range
		for _, r := range affected.Ranges {
			if r.Type != "GIT" {
				ranges = append(ranges, rangesOf(r.Events, kind.format)...)
			}
		}
		for _, version := range affected.Versions {
			ranges = append(ranges, v6.Range{Version: v6.Version{Type: kind.format, Constraint: "=" + version}})
		}
		if len(ranges) == 0 {
			skipped++
			continue
		}
		count++
		id := one.ID
		if count > 1 {
			id += "#" + strconv.Itoa(count)
		}
		if isProduct {
			c.addProduct(id, one.Summary, affected.Package.Name, one.Aliases, ranges)
			continue
		}
		c.add(id, one.Summary, affected.Package.Name, *kind, os, one.Aliases, ranges)
	}
	return skipped
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: grypedb OSV_DIR OUT_DIR [SYNTHETIC]")
		os.Exit(3)
	}
	synthetic := 0
	if len(os.Args) > 3 {
		number, err := strconv.Atoi(os.Args[3])
		must(err)
		synthetic = number
	}
	now := time.Now().UTC()
	all := &collection{
		provider: &v6.Provider{ID: "osv", Version: "1", Processor: "grypedb", DateCaptured: &now, InputDigest: "sha256:0"},
		systems:  map[string]*v6.OperatingSystem{},
	}
	files, err := filepath.Glob(filepath.Join(os.Args[1], "*.json"))
	must(err)
	slices.Sort(files)
	skipped := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		must(err)
		var one record
		must(json.Unmarshal(raw, &one))
		skipped += all.read(one)
	}
	for i := range synthetic {
		constraint := fmt.Sprintf(">=1.0.0,<1.%d.0", i%50)
		ranges := []v6.Range{{Version: v6.Version{Type: "semver", Constraint: constraint}}}
		name := fmt.Sprintf("synthetic-pkg-%d", i%(synthetic/4+1))
		all.add(fmt.Sprintf("GHSA-syn-%06d", i), "synthetic", name, languages["npm"], nil, nil, ranges)
	}
	must(os.MkdirAll(os.Args[2], 0o755))
	writer, err := v6.NewWriter(v6.Config{DBDirPath: os.Args[2]})
	must(err)
	for i := 0; i < len(all.vulnerabilities); i += 500 {
		end := min(i+500, len(all.vulnerabilities))
		must(writer.AddVulnerabilities(all.vulnerabilities[i:end]...))
		must(writer.AddAffectedPackages(all.affectedPackages[i:end]...))
	}
	for _, one := range all.products {
		must(writer.AddVulnerabilities(one.Vulnerability))
		must(writer.AddAffectedCPEs(one))
	}
	must(writer.SetDBMetadata())
	must(writer.Close())
	fmt.Println("entries", len(all.vulnerabilities)+len(all.products), "skipped", skipped)
}
