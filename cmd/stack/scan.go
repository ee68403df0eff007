package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mitchellh/go-wordwrap"
	"github.com/spf13/cobra"

	"tarot-platform/internal/config"
	"tarot-platform/internal/release"
	"tarot-platform/internal/sbom"
	"tarot-platform/internal/scan"
)

func scanCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "scan STACK [RELEASE]",
		Short: "known vulnerabilities in the images of the release that runs, or of another one",
		Long: "It looks into what the release's images are made of, by grype, and counts what tarot:build.scan says. What it finds is kept beside the release's record.\n" +
			"Exit code 0: nothing counts; 1: something does; 2: it was not scanned, or not all of it.",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := open(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			report, err := d.scan(cmd.Context(), strings.Join(args[1:], ""), time.Now())
			if err != nil {
				return err
			}
			return reported(asJSON, report, report.write, report.Outcome == scan.Found, report.Outcome == scan.NotScanned)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	return cmd
}

func sbomCommand() *cobra.Command {
	var service string
	cmd := &cobra.Command{
		Use:   "sbom STACK [RELEASE]",
		Short: "what the backend's image of the release that runs is made of, or of another one, as CycloneDX",
		Args:  cobra.RangeArgs(1, 2),
		RunE: onStack(func(ctx context.Context, d deployed, args []string) error {
			r, err := d.release(ctx, strings.Join(args, ""))
			if err != nil {
				return err
			}
			image, err := imageOf(r, service)
			if err != nil {
				return err
			}
			_, document, err := d.inventory(ctx, image)
			if err != nil {
				return err
			}
			_, err = os.Stdout.Write(document)
			return err
		}),
	}
	cmd.Flags().StringVar(&service, "service", "", "of the image that a service has of its own")
	return cmd
}

// scanned is what was found in a release's images.
type scanned struct {
	Stack   string        `json:"stack"`
	Release string        `json:"release"`
	Outcome scan.Outcome  `json:"outcome"`
	Images  []scan.Result `json:"images"`
}

// scan looks again, and keeps what it finds.
func (d deployed) scan(ctx context.Context, named string, now time.Time) (scanned, error) {
	report := scanned{Stack: d.name}
	settings, err := d.scanSettings()
	if err != nil {
		return report, err
	}
	r, err := d.release(ctx, named)
	if err != nil {
		return report, err
	}
	report.Release = r.Name
	for _, image := range r.AllImages() {
		id, document, err := d.inventory(ctx, image)
		if err != nil {
			report.Images = append(report.Images, scan.Result{Image: image, Outcome: scan.NotScanned, Reason: err.Error(), Scanned: now, FailOn: settings.FailOn})
			continue
		}
		result := scan.Of(ctx, image, document, settings, now)
		report.Images = append(report.Images, result)
		text, err := json.Marshal(result)
		if err == nil {
			err = d.docker.KeepScan(ctx, d.prefix, image, id, text)
		}
		if err != nil {
			return report, err
		}
	}
	report.Outcome = scan.Worst(report.Images)
	return report, nil
}

// scanSettings are what the stack's file says of scans. It is read without Pulumi, as it has no
// secrets, and asking for them would take the passphrase.
func (d deployed) scanSettings() (config.Scan, error) {
	file := "Pulumi." + d.name + ".yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		return config.Scan{}, err
	}
	cfg, err := configurationOf(text)
	if err != nil {
		return config.Scan{}, fmt.Errorf("%s: %w", file, err)
	}
	return cfg.Build.Scan, nil
}

// release is the one of the name, or the one that ran last.
func (d deployed) release(ctx context.Context, named string) (release.Release, error) {
	all, err := d.docker.Releases(ctx, d.prefix)
	if err != nil {
		return release.Release{}, err
	}
	if named == "" && len(all) > 0 {
		return all[0], nil
	}
	if i := slices.IndexFunc(all, func(r release.Release) bool { return r.Name == named }); i >= 0 {
		return all[i], nil
	}
	if named == "" {
		return release.Release{}, fmt.Errorf("stack %s has no release yet", d.name)
	}
	return release.Release{}, fmt.Errorf("RELEASE is %q; allowed: %s", named, release.Names(all))
}

// imageOf is the backend's image of a release, or the one that a service has of its own.
func imageOf(r release.Release, service string) (string, error) {
	if service == "" || service == config.BackendName {
		return r.Image, nil
	}
	if image := r.Images[service]; image != "" {
		return image, nil
	}
	allowed := []string{config.BackendName}
	for name := range r.Images {
		allowed = append(allowed, name)
	}
	slices.Sort(allowed)
	return "", fmt.Errorf("--service is %q; allowed: %s (another one has the backend's image)", service, strings.Join(allowed, ", "))
}

// inventory is what an image is made of, and its ID.
func (d deployed) inventory(ctx context.Context, image string) (id string, document []byte, err error) {
	there, err := d.docker.HasImage(ctx, image)
	if err == nil && !there {
		err = fmt.Errorf("the image %s is not on this engine any more", image)
	}
	if err != nil {
		return "", nil, err
	}
	found, err := d.docker.Image(ctx, image)
	if err != nil {
		return "", nil, err
	}
	document, err = sbom.Of(ctx, d.docker, d.prefix, image, found.ID)
	return found.ID, document, err
}

// write prints what was found for people.
func (s scanned) write(w io.Writer) error {
	const width = 100
	var text strings.Builder
	line := func(begin, said string) {
		text.WriteString(strings.ReplaceAll(wordwrap.WrapString(begin+said, width-4), "\n", "\n    ") + "\n")
	}
	fmt.Fprintf(&text, "%s  release %s: %s\n", s.Stack, s.Release, s.Outcome)
	for _, r := range s.Images {
		fmt.Fprintf(&text, "\n%s\n", r.Image)
		mark := map[scan.Outcome]string{scan.Clean: "  ", scan.Found: "! ", scan.NotScanned: "? "}[r.Outcome]
		line(mark, r.Line())
		if r.Scanner != "" {
			line("  ", fmt.Sprintf("%d packages, by %s", r.Packages, r.Scanner))
		}
		for _, f := range r.Findings {
			said := f.Text()
			if f.Until != "" {
				said += ": that is over"
			}
			line("! ", said)
		}
		for _, f := range r.Accepted {
			line("· ", f.Text())
		}
		for _, n := range r.Notes {
			line("· ", n)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// vulnerable is what the status has of the release that runs: a problem, or a note.
func (d deployed) vulnerable(ctx context.Context, named string) (problems, notes []string) {
	settings, err := d.scanSettings()
	if err != nil {
		return nil, []string{fmt.Sprintf("whether there are known vulnerabilities can't be told: %v", err)}
	}
	if settings.FailOn == config.ScanOff {
		return nil, nil
	}
	again := fmt.Sprintf("make scan STACK=%s", d.name)
	r, err := d.release(ctx, named)
	if err != nil {
		return nil, []string{fmt.Sprintf("whether there are known vulnerabilities can't be told: %v", err)}
	}
	for _, image := range r.AllImages() {
		result, there, err := d.lastScan(ctx, image)
		switch {
		case err != nil:
			notes = append(notes, fmt.Sprintf("the image %s: what was found in it can't be told: %v", image, err))
		case !there:
			notes = append(notes, fmt.Sprintf("the image %s was not scanned for vulnerabilities yet: %s", image, again))
		case result.Outcome == scan.Found:
			problems = append(problems, fmt.Sprintf("the image %s: %s (%s)", image, result.Line(), again))
		case result.Outcome == scan.NotScanned && settings.Required:
			problems = append(problems, fmt.Sprintf("the image %s: %s (%s)", image, result.Line(), again))
		case result.Outcome == scan.NotScanned:
			notes = append(notes, fmt.Sprintf("the image %s: %s (%s)", image, result.Line(), again))
		default:
			notes = append(notes, fmt.Sprintf("the image %s, scanned %s: %s", image, result.Scanned.Format(time.DateOnly), result.Line()))
		}
	}
	return problems, notes
}

// lastScan is what was found in an image last.
func (d deployed) lastScan(ctx context.Context, image string) (result scan.Result, there bool, err error) {
	if there, err = d.docker.HasImage(ctx, image); err != nil || !there {
		return result, false, err
	}
	found, err := d.docker.Image(ctx, image)
	if err != nil {
		return result, false, err
	}
	text, there, err := d.docker.Scanned(ctx, d.prefix, found.ID)
	if err == nil && there {
		err = json.Unmarshal(text, &result)
	}
	return result, there, err
}
