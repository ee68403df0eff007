package testalert

import (
	"context"
	"fmt"
	"strings"

	"github.com/prometheus/common/expfmt"
)

// tally counts requests that were made, and those of them that failed.
type tally struct{ made, failed int }

func (t tally) taken() int { return t.made - t.failed }

func (t tally) since(before tally) tally {
	return tally{t.made - before.made, t.failed - before.failed}
}

// requests are those to receivers, by their kind.
type requests struct{ webhook, email tally }

const (
	made       = "alertmanager_notification_requests_total"
	failedOnes = "alertmanager_notification_requests_failed_total"
)

// requests are what Alertmanager says of itself.
func (a alertmanager) requests(ctx context.Context) (requests, error) {
	text, err := a.docker.Exec(ctx, a.prefix, workload, "wget", "-q", "-O", "-", address+"/metrics")
	if err != nil {
		return requests{}, err
	}
	r, err := requestsOf(text)
	if err != nil {
		return r, fmt.Errorf("the metrics of Alertmanager: %w", err)
	}
	return r, nil
}

func requestsOf(text string) (requests, error) {
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return requests{}, err
	}
	// Both have a line for each kind from the start: without them, nothing would ever be counted.
	for _, name := range []string{made, failedOnes} {
		if families[name] == nil {
			return requests{}, fmt.Errorf("there is no %s", name)
		}
	}
	sum := func(name, kind string) int {
		total := 0.0
		for _, metric := range families[name].GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "integration" && label.GetValue() == kind {
					total += metric.GetCounter().GetValue() + metric.GetUntyped().GetValue()
				}
			}
		}
		return int(total)
	}
	count := func(kind string) tally { return tally{sum(made, kind), sum(failedOnes, kind)} }
	return requests{count("webhook"), count("email")}, nil
}
