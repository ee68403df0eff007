package engine

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

func TestCondition(t *testing.T) {
	is := func(state, status string, labels ...string) container.Summary {
		c := container.Summary{ID: state, Names: []string{"/nginx"}, State: state, Status: status, Labels: map[string]string{}}
		for _, label := range labels {
			c.Labels[label] = "x"
		}
		return c
	}
	healthy := is("running", "Up 5 minutes (healthy)")
	ended := is("exited", "Exited (137) 2 seconds ago")
	for name, test := range map[string]struct {
		found                  []container.Summary
		there, broken, stopped bool
		says                   string
	}{
		"none":                          {nil, false, false, false, ""},
		"healthy":                       {[]container.Summary{healthy}, true, false, false, "nginx: up 5 minutes (healthy)"},
		"healthy beside one that isn't": {[]container.Summary{ended, healthy}, true, false, false, "nginx: exited (137) 2 seconds ago, nginx: up 5 minutes (healthy)"},
		"paused, which no `up` undoes":  {[]container.Summary{is("paused", "Up 5 minutes (Paused)")}, true, false, false, "nginx: up 5 minutes (paused)"},
		"unhealthy":                     {[]container.Summary{is("running", "Up 5 minutes (unhealthy)")}, true, true, false, "nginx: up 5 minutes (unhealthy)"},
		"starting":                      {[]container.Summary{is("running", "Up 1 second (health: starting)")}, true, true, false, "nginx: up 1 second (health: starting)"},
		"crashes again and again":       {[]container.Summary{is("restarting", "Restarting (1) 3 seconds ago")}, true, true, false, "nginx: restarting (1) 3 seconds ago"},
		"ended":                         {[]container.Summary{ended}, true, true, true, "nginx: exited (137) 2 seconds ago"},
		"ended in Swarm":                {[]container.Summary{is("exited", "Exited (1) 3 seconds ago", taskLabel)}, true, true, false, "nginx: exited (1) 3 seconds ago"},
	} {
		got, err := (&Engine{api: &fakeAPI{containers: test.found}}).Condition(t.Context(), "tarot-dev", "nginx")
		if want := (Condition{test.there, test.broken, test.stopped, test.says}); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
	if _, err := (&Engine{api: &fakeAPI{failure: errdefs.ErrUnavailable}}).Condition(t.Context(), "tarot-dev", "nginx"); err == nil {
		t.Error("no answer is taken for none")
	}
}

func TestReviveRestartsWhatIsUnhealthy(t *testing.T) {
	api := &fakeAPI{containers: []container.Summary{
		{ID: "well", Status: "Up 5 minutes (healthy)"}, {ID: "hung", Status: "Up 5 minutes (unhealthy)"},
		{ID: "swarm", Status: "Up 5 minutes (unhealthy)", Labels: map[string]string{taskLabel: "x"}},
	}}
	if err := (&Engine{api: api}).Revive(t.Context(), "tarot-dev", "nginx"); err != nil || strings.Join(api.done, ",") != "restart hung" {
		t.Errorf("%v, did %v", err, api.done)
	}
}
