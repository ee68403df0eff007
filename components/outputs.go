package components

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// report has a preview say what the update would restart, and an update which containers it
// has declared.
func (r *rollout) report() (declared []string, err error) {
	if !r.ctx.DryRun() {
		return r.runtime.Declared(r.ctx)
	}
	text, err := r.runtime.Summary(r.ctx)
	if err != nil {
		return nil, err
	}
	return nil, r.ctx.Log.Info(text, nil)
}

// outputs are the stack's.
func (r *rollout) outputs() (pulumi.Map, error) {
	base, paths := r.context.Site.URL, r.args.Config.Backend.Paths
	out := pulumi.Map{
		"runtime":  pulumi.String(r.args.Config.Runtime),
		"replicas": pulumi.Int(r.args.Config.Backend.Replicas),
		// Whether users get something else than what the stack file says.
		"maintenance": pulumi.Bool(r.args.Config.Maintenance),
		"pinned":      pulumi.Bool(r.args.Pinned),
		"image":       pulumi.String(r.Image),
		"release":     pulumi.String(r.recorded),
		"services":    r.made.services(r.args.Config.Monitoring.Enabled),
		"standIns":    r.made.standIns(),
		"volumes":     r.made.shownVolumes(r.parts),
	}
	for name, path := range map[string]string{
		"url": "", "apiUrl": paths.API, "docsUrl": paths.Docs, "adminUrl": paths.Admin, "healthUrl": r.args.Config.Backend.HealthPath(), "staticUrl": paths.Static,
	} {
		out[name] = pulumi.String(base + path)
	}
	for _, d := range r.parts {
		for name, o := range d.Outputs {
			if o.Secret != "" {
				out[name] = r.made.secrets.get(o.Secret)
			} else {
				out[name] = pulumi.String(o.Text)
			}
		}
	}
	return out, r.made.registerOutputs(r.parts)
}
