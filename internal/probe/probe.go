// Package probe asks a deployed address whether it answers.
package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"
)

const (
	// interval is the time between two questions.
	interval = 250 * time.Millisecond
	// single is how long one answer may take.
	single = 5 * time.Second
)

// Answers returns when the address answers 200, and an error when it has not
// within the time. It follows no redirect. It does not check the certificate:
// whether a client trusts it is not what is asked, and one that is self-signed,
// or for another name than the one that the machine is reached by, is no fault.
func Answers(ctx context.Context, url string, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	client := &http.Client{
		Timeout: single,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last error
	for {
		err := once(ctx, client, url)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil { // that the time is over says less than what was seen before
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer 200 within %s: %w", url, within, last)
		case <-ticker.C:
		}
	}
}

func once(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return nil
}
