package components

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"tarot-platform/components/runtime"
	"tarot-platform/internal/config"
	"tarot-platform/internal/release"
	"tarot-platform/internal/sbom"
	"tarot-platform/internal/scan"
)

// Scanner looks for known vulnerabilities in what an image is made of.
type Scanner func(ctx context.Context, image string, document []byte, settings config.Scan) scan.Result

// inspect writes down what the release's images are made of, and looks for known vulnerabilities
// in it: an `up` of a new release ends here where there are some that count, before anything of it
// runs. One that has run is not looked at again: users have it, and what mends it must get through.
func (r *rollout) inspect() error {
	if r.ctx.DryRun() {
		return nil
	}
	settings := r.args.Config.Build.Scan
	scans := r.args.Scan != nil && settings.FailOn != config.ScanOff && !r.args.Pinned && !r.known()
	var refused []string
	for _, name := range (release.Release{Image: r.Image, Images: r.Images}).AllImages() {
		id, document, err := r.inventory(name)
		if err != nil { // it is for whoever asks later: no failed deploy, unless a scan is asked for
			_ = r.ctx.Log.Warn(fmt.Sprintf("the image %s has no SBOM: %v", name, err), nil)
		}
		if !scans || id == "" {
			continue
		}
		result := scan.Result{Image: name, Outcome: scan.NotScanned, FailOn: settings.FailOn}
		if err != nil {
			result.Reason = err.Error()
		} else {
			result = r.args.Scan(r.ctx.Context(), name, document, settings)
		}
		text, err := json.Marshal(result)
		if err == nil {
			err = r.args.Engine.KeepScan(r.ctx.Context(), r.args.Prefix, name, id, text)
		}
		if err != nil {
			_ = r.ctx.Log.Warn(err.Error(), nil)
		}
		said := fmt.Sprintf("the image %s: %s", name, result.Line())
		switch {
		case result.Outcome == scan.Found, result.Outcome == scan.NotScanned && settings.Required:
			refused = append(refused, said)
		case result.Outcome == scan.NotScanned:
			_ = r.ctx.Log.Warn(said, nil)
		default:
			_ = r.ctx.Log.Info(said, nil)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return fmt.Errorf("this release does not go out, by %s:build.scan:\n%s\nUsers have what they had. Mend it, or accept what does no harm here for a time: "+
		"`pulumi config set --path %[1]s:build.scan.ignore.ID.reason …` and `.until` (docs/security.md)", config.Namespace, strings.Join(refused, "\n"))
}

// known is true for a release that has run as wanted.
func (r *rollout) known() bool {
	return slices.ContainsFunc(r.found, func(other release.Release) bool { return other.Name == r.Name })
}

// inventory is what an image is made of, and the image's ID; there is none where it could not be
// had, which whoever builds it tells.
func (r *rollout) inventory(name string) (id string, document []byte, err error) {
	for _, image := range r.made.images.all() {
		if image.Reference != name {
			continue
		}
		if id, err = runtime.Text(r.ctx, image.ID); err != nil || id == "" {
			return "", nil, nil
		}
		document, err = sbom.Of(r.ctx.Context(), r.args.Engine, r.args.Prefix, name, id)
		return id, document, err
	}
	return "", nil, nil
}
