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
}

// watched asks the stack's own monitoring, where there is one. That it does not
// answer is a problem, and no reason not to tell the rest.
func (s *Status) watched(ctx context.Context, prefix string, out Outputs, docker Engine, now time.Time) {
	if _, there := out.Services["alertmanager"]; !there {
		return
	}
	var err error
	if s.Alerts, err = alerts(ctx, prefix, docker); err != nil {
		s.problem("the alerts can't be seen: %v", err)
	}
	for _, a := range s.Alerts {
		s.problem("alert %s: %s", a.Name, a.Summary)
	}
	if s.Backups, err = backups(ctx, prefix, docker, now); err != nil {
		s.problem("the backups can't be seen: %v", err)
	}
}

// alerts are asked of Alertmanager by its own client, which is in its image: its
// port is not published.
func alerts(ctx context.Context, prefix string, docker Engine) ([]Alert, error) {
	text, err := docker.Exec(ctx, prefix, "alertmanager", "/bin/amtool", "--alertmanager.url=http://127.0.0.1:9093", "alert", "query", "--output=json")
	if err != nil {
		return nil, err
	}
	var found []struct {
		Labels, Annotations map[string]string
		StartsAt            time.Time
		Status              struct{ State string }
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		return nil, fmt.Errorf("amtool: %w", err)
	}
	all := []Alert{}
	for _, a := range found {
		if a.Status.State == "active" {
			all = append(all, Alert{a.Labels["alertname"], a.Labels["severity"], a.Annotations["summary"], a.StartsAt})
		}
	}
	slices.SortFunc(all, func(a, b Alert) int { return strings.Compare(a.Name+a.Summary, b.Name+b.Summary) })
	return slices.Compact(all), nil
}

func backups(ctx context.Context, prefix string, docker Engine, now time.Time) ([]Backup, error) {
	text, err := docker.Exec(ctx, prefix, "prometheus", "/bin/promtool", "query", "instant", "--format=json", "http://127.0.0.1:9090", "backup_last_success_timestamp_seconds")
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
	var all []Backup
	for _, b := range found {
		value, err := strconv.ParseFloat(fmt.Sprint(b.Value[1]), 64)
		if err != nil {
			return nil, fmt.Errorf("promtool: %w", err)
		}
		all = append(all, Backup{b.Metric["name"], now.Unix() - int64(value)})
	}
	slices.SortFunc(all, func(a, b Backup) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
