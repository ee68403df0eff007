package status

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Alert is one that fires, and is neither silenced nor a consequence of another.
type Alert struct {
	Name     string    `json:"name"`
	Severity string    `json:"severity"`
	Summary  string    `json:"summary"`
	Since    time.Time `json:"since"`
}

// Backup is the newest one of what is backed up.
type Backup struct {
	Name    string `json:"name"`
	Seconds int64  `json:"seconds"` // its age
	// Text is more of it, for people; empty: its age is all that is known.
	Text string `json:"text,omitempty"`
}

// note is the severity of what may stay as it is.
const note = "note"

// watched asks the stack's own monitoring, where there is one. That it does not
// answer is a problem, and no reason not to tell the rest.
func (s *Status) watched(ctx context.Context, prefix string, out Outputs, docker Engine, now time.Time) {
	if _, there := out.Services["alertmanager"]; !there {
		return
	}
	var silenced []string
	var err error
	if s.Alerts, silenced, err = alerts(ctx, prefix, docker); err != nil {
		s.problem("the alerts can't be seen: %v", err)
	}
	for _, a := range s.Alerts {
		if a.Severity == note {
			s.Notes = append(s.Notes, a.Summary)
			continue
		}
		s.problem("alert %s: %s", a.Name, a.Summary)
	}
	others, err := backups(ctx, prefix, docker, now)
	if err != nil {
		s.problem("the backups can't be seen: %v", err)
	}
	s.Backups = append(s.Backups, others...)
	s.targets(ctx, prefix, silenced, docker)
}

// alerts are asked of Alertmanager by its own client, which is in its image: its
// port is not published. silenced are the jobs of which the operator has silenced
// that they have no metrics.
func alerts(ctx context.Context, prefix string, docker Engine) (all []Alert, silenced []string, err error) {
	text, err := docker.Exec(ctx, prefix, "alertmanager", "/bin/amtool", "--alertmanager.url=http://127.0.0.1:9093", "alert", "query", "--active", "--silenced", "--output=json")
	if err != nil {
		return nil, nil, err
	}
	var found []struct {
		Labels, Annotations map[string]string
		StartsAt            time.Time
		Status              struct {
			State      string
			SilencedBy []string
		}
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return nil, nil, fmt.Errorf("amtool: %w", err)
	}
	all = []Alert{}
	for _, a := range found {
		if a.Labels["alertname"] == "TargetDown" && len(a.Status.SilencedBy) > 0 {
			silenced = append(silenced, a.Labels["job"])
		}
		if a.Status.State == "active" {
			all = append(all, Alert{a.Labels["alertname"], a.Labels["severity"], a.Annotations["summary"], a.StartsAt})
		}
	}
	slices.SortFunc(all, func(a, b Alert) int { return strings.Compare(a.Name+a.Summary, b.Name+b.Summary) })
	return slices.Compact(all), silenced, nil
}

// backups are those of jobs of one's own.
func backups(ctx context.Context, prefix string, docker Engine, now time.Time) ([]Backup, error) {
	found, err := query(ctx, prefix, docker, `backup_last_success_timestamp_seconds{job!="backup"}`)
	if err != nil {
		return nil, err
	}
	var all []Backup
	for _, b := range found {
		all = append(all, Backup{Name: b.labels["name"], Seconds: now.Unix() - int64(b.value)})
	}
	slices.SortFunc(all, func(a, b Backup) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// sample is one series' value.
type sample struct {
	labels map[string]string
	value  float64
}

// query asks Prometheus, likewise by its own client.
func query(ctx context.Context, prefix string, docker Engine, expression string) ([]sample, error) {
	text, err := docker.Exec(ctx, prefix, "prometheus", "/bin/promtool", "query", "instant", "--format=json", "http://127.0.0.1:9090", expression)
	if err != nil {
		return nil, err
	}
	var found []struct {
		Metric map[string]string
		Value  [2]any
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return nil, fmt.Errorf("promtool: %w", err)
	}
	all := make([]sample, len(found))
	for i, f := range found {
		value, err := strconv.ParseFloat(fmt.Sprint(f.Value[1]), 64)
		if err != nil {
			return nil, fmt.Errorf("promtool: %w", err)
		}
		all[i] = sample{f.Metric, value}
	}
	return all, nil
}
