package status

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

const (
	noAlerts   = "[]"
	someAlerts = `[
		{"labels": {"alertname": "DiskAlmostFull", "severity": "ticket"}, "annotations": {"summary": "8 % are left"}, "startsAt": "2026-11-24T11:00:00Z", "status": {"state": "active"}},
		{"labels": {"alertname": "ReplicasMissing", "severity": "ticket"}, "annotations": {"summary": "1 of 3"}, "startsAt": "2026-11-24T11:00:00Z", "status": {"state": "suppressed"}}]`
	aNote       = `[{"labels": {"alertname": "BackupOnSameDisk", "severity": "note"}, "annotations": {"summary": "The backups are on the disk that serves."}, "startsAt": "2026-11-24T11:00:00Z", "status": {"state": "active"}}]`
	allSeen     = `[{"metric": {"job": "backend"}, "value": [1795521600, "2"]}, {"metric": {"job": "nginx"}, "value": [1795521600, "1"]}, {"metric": {"job": "alertmanager"}, "value": [1795521600, "1"]}]`
	noBackups   = "[]"
	someBackups = `[{"metric": {"__name__": "backup_last_success_timestamp_seconds", "name": "database"}, "value": [1795521600, "1795518000"]}]`
)

func TestTheMonitoringIsAsked(t *testing.T) {
	for name, test := range map[string]struct {
		says     map[string]string
		problems []string
		shown    string
	}{
		"all is well":          {map[string]string{"alertmanager": noAlerts, "prometheus": noBackups}, nil, "all is well"},
		"an alert, one silent": {map[string]string{"alertmanager": someAlerts, "prometheus": noBackups}, []string{"alert DiskAlmostFull: 8 % are left"}, "! alert DiskAlmostFull"},
		"a note is none":       {map[string]string{"alertmanager": aNote, "prometheus": noBackups}, nil, "all is well\n· The backups are on the disk that serves.\n"},
		"a backup":             {map[string]string{"alertmanager": noAlerts, "prometheus": someBackups}, nil, "60m old"},
		"it does not answer": {nil, []string{"the alerts can't be seen: /bin/amtool does not answer", "the backups can't be seen: /bin/promtool does not answer",
			"it can't be seen what the monitoring has data of: /bin/promtool does not answer"}, "! the alerts"},
		"it talks nonsense": {map[string]string{"alertmanager": "oops", "prometheus": noBackups}, []string{"the alerts can't be seen: amtool: invalid character 'o' looking for beginning of value"}, "! the alerts"},
	} {
		t.Run(name, func(t *testing.T) {
			d, out := running(), stack(t, 200)
			d.says = test.says
			d.replicas = append(d.replicas, replica("alertmanager-1", "alertmanager", "prom/alertmanager:v0", "healthy"))
			out.Services["alertmanager"] = Service{Replicas: 1}
			s, err := Of(t.Context(), "prod", "tarot-prod", out, d, now)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Problems, test.problems) && len(s.Problems)+len(test.problems) > 0 {
				t.Errorf("%q, want %q", s.Problems, test.problems)
			}
			var text bytes.Buffer
			if err := s.Write(&text); err != nil || !strings.Contains(text.String(), test.shown) {
				t.Errorf("%v\n%s", err, text.String())
			}
		})
	}
}
