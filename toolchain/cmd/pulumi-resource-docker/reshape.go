package main

import (
	"context"
	"maps"
	"path/filepath"
	"time"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
)

// The official plugin 4.11.2 is made from upstream 3.9.0, which module proxies do not hold in every network; the
// upstream here is newer. reshape gives it back what programs for the SDK 4.11.2 rely on.
func reshape(p *schema.Provider) *schema.Provider {
	serviceModeWithoutDefault(p.ResourcesMap["docker_service"])
	networksByName(p.ResourcesMap["docker_service"])
	stoppedIsFailed(p.ResourcesMap["docker_container"])
	checkDuplicate(p.ResourcesMap["docker_network"])
	dockerfileOfTheProject(p.ResourcesMap["docker_image"])
	return p
}

// Where a builder is named, 3.9.0 takes build.dockerfile from the project's folder, as `docker build --file` does from
// the shell's. The newer upstream always takes it from the context.
func dockerfileOfTheProject(image *schema.Resource) {
	create := image.CreateContext
	image.CreateContext = func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		given, ok := d.Get("build").(*schema.Set)
		if !ok || given.Len() == 0 {
			return create(ctx, d, meta)
		}
		absolute := schema.NewSet(given.F, nil)
		for _, item := range given.List() {
			build := maps.Clone(item.(map[string]any))
			if name, _ := build["dockerfile"].(string); build["builder"] != "" && name != "" {
				path, err := filepath.Abs(name)
				if err != nil {
					return diag.FromErr(err)
				}
				build["dockerfile"] = path
			}
			absolute.Add(build)
		}
		if err := d.Set("build", absolute); err != nil {
			return diag.FromErr(err)
		}
		diags := create(ctx, d, meta)
		return append(diags, diag.FromErr(d.Set("build", given))...) // the state is the same on every machine
	}
}

// The SDK still has checkDuplicate. Engines check in any case, so the newer upstream has dropped it.
func checkDuplicate(network *schema.Resource) {
	network.Schema["check_duplicate"] = &schema.Schema{Type: schema.TypeBool, Optional: true, ForceNew: true}
}

// Upstream sets mode.global to false where nothing is said, and then refuses it beside mode.replicated.
func serviceModeWithoutDefault(service *schema.Resource) {
	nested(service, "mode").Schema["global"].Default = nil
}

// The SDK names a service's network in "name". The newer upstream reads it back as "id" and leaves "name" empty, so that
// every update would replace the service.
func networksByName(service *schema.Resource) {
	field := nested(service, "task_spec").Schema["networks_advanced"]
	network := field.Elem.(*schema.Resource)
	network.Schema["name"].Deprecated = "" // for "id", which the SDK does not have
	hash := schema.HashResource(network)

	after(service, func(_ context.Context, d *schema.ResourceData, _ any) diag.Diagnostics {
		spec, ok := d.Get("task_spec").([]any)
		if !ok || len(spec) == 0 || spec[0] == nil {
			return nil
		}
		task := spec[0].(map[string]any)
		read, ok := task["networks_advanced"].(*schema.Set)
		if !ok {
			return nil
		}
		named := schema.NewSet(hash, nil)
		for _, item := range read.List() {
			attachment := item.(map[string]any)
			if attachment["name"] == "" {
				attachment["name"], attachment["id"] = attachment["id"], ""
			}
			named.Add(attachment)
		}
		task["networks_advanced"] = named
		return diag.FromErr(d.Set("task_spec", spec))
	})
}

// Containers that have to run get this long to show that they cannot.
const settle = 250 * time.Millisecond

// A container with mustRun that stops at once makes 3.9.0 fail. The newer upstream reports a success and leaves the
// repair to the next update.
func stoppedIsFailed(container *schema.Resource) {
	create := container.CreateContext
	container.CreateContext = func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		mustRun := d.Get("must_run").(bool)
		diags := create(ctx, d, meta)
		if diags.HasError() || !mustRun {
			return diags
		}
		time.Sleep(settle)
		diags = append(diags, container.ReadContext(ctx, d, meta)...)
		if diags.HasError() || d.Get("must_run").(bool) && d.Id() != "" {
			return diags
		}
		name, code := d.Get("name"), d.Get("exit_code")
		if d.Id() != "" {
			diags = append(diags, container.DeleteContext(ctx, d, meta)...)
			d.SetId("")
		}
		return append(diags, diag.Errorf("container %q exited immediately, with code %v, and was removed", name, code)...)
	}
}

// after runs more once upstream has written the state.
func after(r *schema.Resource, more schema.ReadContextFunc) {
	create, read, update := r.CreateContext, r.ReadContext, r.UpdateContext
	wrap := func(run func(context.Context, *schema.ResourceData, any) diag.Diagnostics) schema.ReadContextFunc {
		return func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
			diags := run(ctx, d, meta)
			if diags.HasError() || d.Id() == "" {
				return diags
			}
			return append(diags, more(ctx, d, meta)...)
		}
	}
	r.CreateContext = schema.CreateContextFunc(wrap(create))
	r.ReadContext = wrap(read)
	r.UpdateContext = schema.UpdateContextFunc(wrap(update))
}

func nested(r *schema.Resource, field string) *schema.Resource {
	return r.Schema[field].Elem.(*schema.Resource)
}
