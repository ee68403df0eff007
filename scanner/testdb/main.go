// Command testdb writes a database of grype's with one vulnerability in it, for tests: real ones
// are 100 MB, and can't be had on every machine.
//
//	testdb FOLDER ID ALIAS SEVERITY ECOSYSTEM PACKAGE VERSIONS FIXED
//
// FOLDER is what tarot:build.scan.database takes. VERSIONS are those that have it, such as <0.16.0.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	v6 "github.com/anchore/grype/grype/db/v6"
	_ "github.com/glebarez/sqlite"
	"github.com/spf13/afero"
)

func main() {
	if len(os.Args) != 9 {
		fmt.Fprintln(os.Stderr, "usage: testdb FOLDER ID ALIAS SEVERITY ECOSYSTEM PACKAGE VERSIONS FIXED")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		os.Exit(1)
	}
}

func write(folder string, words []string) (err error) {
	id, alias, severity, ecosystem, name, versions, fixed := words[0], words[1], words[2], words[3], words[4], words[5], words[6]
	folder = filepath.Join(folder, strconv.Itoa(v6.ModelVersion))
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	database, err := v6.NewWriter(v6.Config{DBDirPath: folder})
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	provider := &v6.Provider{ID: "github", Version: "1", Processor: "testdb", DateCaptured: &now}
	vulnerability := &v6.VulnerabilityHandle{Name: id, Status: v6.VulnerabilityActive, ProviderID: provider.ID, Provider: provider, BlobValue: &v6.VulnerabilityBlob{
		ID: id, Description: "of the tests", Aliases: []string{alias}, Severities: []v6.Severity{{Scheme: v6.SeveritySchemeCHMLN, Value: severity, Rank: 1}}}}
	affected := &v6.AffectedPackageHandle{Vulnerability: vulnerability, Package: &v6.Package{Ecosystem: ecosystem, Name: name}, BlobValue: &v6.PackageBlob{
		CVEs: []string{alias}, Ranges: []v6.Range{{Version: v6.Version{Type: ecosystem, Constraint: versions}, Fix: &v6.Fix{Version: fixed, State: v6.FixedStatus}}}}}
	for _, add := range []func() error{
		func() error { return database.AddProvider(*provider) },
		func() error { return database.AddVulnerabilities(vulnerability) },
		func() error {
			affected.VulnerabilityID = vulnerability.ID
			return database.AddAffectedPackages(affected)
		},
	} {
		if err := add(); err != nil {
			return errors.Join(err, database.Close())
		}
	}
	if err := database.Close(); err != nil {
		return err
	}
	if err := v6.Hydrater()(folder); err != nil { // the indexes, which a distributed one is without
		return err
	}
	_, err = v6.WriteImportMetadata(afero.NewOsFs(), folder, "tests")
	return err
}
