// trivydb writes a vulnerability database of Trivy, with Trivy's own library, from a folder of OSV files: what Trivy
// downloads elsewhere, made from the records a comparison is about. Languages go through its own reader of OSV;
// distributions, which that reader does not take, are written as its reader of their trackers does: the fixed version.
//
// usage: trivydb OSV_DIR CACHE_DIR; then: trivy sbom --cache-dir CACHE_DIR --skip-db-update --offline-scan FILE
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/aquasecurity/trivy-db/pkg/db"
	"github.com/aquasecurity/trivy-db/pkg/ecosystem"
	"github.com/aquasecurity/trivy-db/pkg/types"
	"github.com/aquasecurity/trivy-db/pkg/vulndb"
	"github.com/aquasecurity/trivy-db/pkg/vulnsrc"
	"github.com/aquasecurity/trivy-db/pkg/vulnsrc/osv"
)

const sourceID types.SourceID = "osv"

var languages = []ecosystem.Type{
	ecosystem.Go, ecosystem.Npm, ecosystem.Pip, ecosystem.RubyGems, ecosystem.Cargo, ecosystem.Maven,
	ecosystem.Composer, ecosystem.NuGet, ecosystem.Bitnami,
}

// Buckets of distributions: `debian 12`, `alpine 3.18`, `alma 9`.
var systems = map[string]string{"Debian": "debian", "Ubuntu": "ubuntu", "Alpine": "alpine", "AlmaLinux": "alma"}

type record struct {
	ID       string `json:"id"`
	Summary  string `json:"summary"`
	Affected []struct {
		Package struct {
			Name      string `json:"name"`
			Ecosystem string `json:"ecosystem"`
		} `json:"package"`
		Ranges []struct {
			Events []struct {
				Fixed string `json:"fixed"`
			} `json:"events"`
		} `json:"ranges"`
	} `json:"affected"`
}

// distributions reads what the reader of OSV passes over.
type distributions struct{ folder string }

func (d distributions) Name() types.SourceID { return "distributions" }

func (d distributions) Update(string) error {
	files, err := filepath.Glob(filepath.Join(d.folder, "*.json"))
	if err != nil {
		return err
	}
	dbc := db.Config{}
	return dbc.BatchUpdate(func(tx *bolt.Tx) error {
		for _, file := range files {
			if err := putSystems(dbc, tx, file); err != nil {
				return err
			}
		}
		return nil
	})
}

func putSystems(dbc db.Config, tx *bolt.Tx, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var one record
	if err := json.Unmarshal(raw, &one); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, affected := range one.Affected {
		family, release, _ := strings.Cut(affected.Package.Ecosystem, ":")
		name, ok := systems[family]
		if !ok {
			continue
		}
		bucket := name + " " + strings.TrimPrefix(release, "v")
		if err := dbc.PutDataSource(tx, bucket, types.DataSource{ID: sourceID, Name: family}); err != nil {
			return err
		}
		advisory := types.Advisory{}
		for _, r := range affected.Ranges {
			for _, event := range r.Events {
				if event.Fixed != "" {
					advisory.FixedVersion = event.Fixed
				}
			}
		}
		if err := dbc.PutAdvisoryDetail(tx, one.ID, affected.Package.Name, []string{bucket}, advisory); err != nil {
			return err
		}
		detail := types.VulnerabilityDetail{Title: one.Summary}
		if err := dbc.PutVulnerabilityDetail(tx, one.ID, sourceID, detail); err != nil {
			return err
		}
		if err := dbc.PutVulnerabilityID(tx, one.ID); err != nil {
			return err
		}
	}
	return nil
}

func run(from, cache string) error {
	folder, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	to := filepath.Join(cache, "db")
	if err := db.Init(to); err != nil {
		return err
	}
	sources := map[ecosystem.Type]types.DataSource{}
	for _, one := range languages {
		sources[one] = types.DataSource{ID: sourceID, Name: "OSV files"}
	}
	all := map[types.SourceID]vulnsrc.VulnSrc{
		sourceID:        osv.New(filepath.Base(folder), sourceID, sources),
		"distributions": distributions{folder},
	}
	// It counts as fresh for a year: nothing newer is to be had where it is used.
	made := vulndb.New(filepath.Dir(folder), to, 365*24*time.Hour, vulndb.WithVulnSrcs(all))
	if err := made.Build([]string{string(sourceID), "distributions"}); err != nil {
		return err
	}
	return db.Close()
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: trivydb OSV_DIR CACHE_DIR")
		os.Exit(3)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
