package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

type crud = func(context.Context, *schema.ResourceData, any) diag.Diagnostics

func TestNetworksOfAServiceAreReadBackByName(t *testing.T) {
	service := shim.New().ResourcesMap["docker_service"]
	service.ReadContext = func(_ context.Context, d *schema.ResourceData, _ any) diag.Diagnostics {
		return diag.FromErr(d.Set("task_spec", []any{map[string]any{
			"networks_advanced": []any{map[string]any{"id": "abc", "aliases": []any{"web"}}},
		}}))
	}
	networksByName(service)

	d := schema.TestResourceDataRaw(t, service.Schema, map[string]any{"name": "backend"})
	d.SetId("1")
	if diags := service.ReadContext(t.Context(), d, nil); diags.HasError() {
		t.Fatal(diags)
	}
	networks := d.Get("task_spec.0.networks_advanced").(*schema.Set).List()
	if len(networks) != 1 {
		t.Fatalf("got %v", networks)
	}
	network := networks[0].(map[string]any)
	if network["name"] != "abc" || network["id"] != "" || network["aliases"].(*schema.Set).Len() != 1 {
		t.Errorf("got %v", network)
	}
}

func TestServiceModeHasNoDefault(t *testing.T) {
	service := reshape(shim.New()).ResourcesMap["docker_service"]
	if got := nested(service, "mode").Schema["global"].Default; got != nil {
		t.Errorf("mode.global is %v where nothing is said; beside mode.replicated that is refused", got)
	}
}

func TestContainerThatStopsAtOnceIsAnError(t *testing.T) {
	cases := map[string]struct {
		mustRun, runs, fails bool
	}{
		"runs":              {mustRun: true, runs: true, fails: false},
		"stops":             {mustRun: true, runs: false, fails: true},
		"may stop and does": {mustRun: false, runs: false, fails: false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			removed := false
			container := shim.New().ResourcesMap["docker_container"]
			var read crud = func(_ context.Context, d *schema.ResourceData, _ any) diag.Diagnostics {
				if !c.runs && c.mustRun { // what upstream makes of it
					return diag.FromErr(d.Set("must_run", false))
				}
				return nil
			}
			container.ReadContext = read
			container.CreateContext = func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
				d.SetId("1")
				return read(ctx, d, meta)
			}
			container.DeleteContext = func(context.Context, *schema.ResourceData, any) diag.Diagnostics {
				removed = true
				return nil
			}
			stoppedIsFailed(container)

			d := schema.TestResourceDataRaw(t, container.Schema, map[string]any{
				"name": "backend", "image": "x", "must_run": c.mustRun,
			})
			diags := container.CreateContext(t.Context(), d, nil)
			if diags.HasError() != c.fails || removed != c.fails || (d.Id() == "") != c.fails {
				t.Errorf("error %v, removed %v, id %q", diags, removed, d.Id())
			}
			if c.fails && !strings.Contains(diags[0].Summary, `container "backend" exited immediately`) {
				t.Errorf("got %q", diags[0].Summary)
			}
		})
	}
}

func TestDockerfileIsLookedForFromTheProject(t *testing.T) {
	for builder, want := range map[string]string{"default": filepath.Join(must(filepath.Abs("app")), "Dockerfile"), "": "app/Dockerfile"} {
		image := shim.New().ResourcesMap["docker_image"]
		var built string
		image.CreateContext = func(_ context.Context, d *schema.ResourceData, _ any) diag.Diagnostics {
			built = dockerfileOf(d)
			return nil
		}
		dockerfileOfTheProject(image)
		d := schema.TestResourceDataRaw(t, image.Schema, map[string]any{
			"name": "x", "build": []any{map[string]any{"context": "app", "dockerfile": "app/Dockerfile", "builder": builder}},
		})
		if diags := image.CreateContext(t.Context(), d, nil); diags.HasError() {
			t.Fatal(diags)
		}
		if built != want {
			t.Errorf("with the builder %q it builds from %s, want %s", builder, built, want)
		}
		if kept := dockerfileOf(d); kept != "app/Dockerfile" {
			t.Errorf("with the builder %q the state has %s", builder, kept)
		}
	}
}

func dockerfileOf(d *schema.ResourceData) string {
	return d.Get("build").(*schema.Set).List()[0].(map[string]any)["dockerfile"].(string)
}

func must(path string, err error) string {
	if err != nil {
		panic(err)
	}
	return path
}
