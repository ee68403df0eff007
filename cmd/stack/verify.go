package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tarot-platform/components/site"
	"tarot-platform/internal/checks"
	"tarot-platform/internal/config"
	"tarot-platform/internal/edge"
	"tarot-platform/internal/smoke"
	"tarot-platform/internal/status"
	"tarot-platform/internal/verify"
)

func verifyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify STACK",
		Short: "the checklist after a deploy: asks what users ask, whoever has deployed",
		Long: "Services, health checks, the release's image, the answers of the smoke test one by one, the database, the log of these very requests, and the certificate.\n" +
			"Exit code 0: nothing fails; 1: something does; 2: it can't be told.",
		Example: "  stack verify prod\n  stack verify prod --json | jq -r '.checks[] | select(.result == \"fail\") | .mend'",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := verified(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return reported(asJSON, report, report.Write, report.Has(checks.Fail), report.Has(checks.Unknown))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "for scripts")
	return cmd
}

func verified(ctx context.Context, name string) (checks.Report, error) {
	d, err := open(ctx, name)
	if err != nil {
		return checks.Report{}, err
	}
	out, err := d.outputs(ctx)
	if err != nil {
		return checks.Report{}, err
	}
	cfg, err := d.settings(ctx)
	if err != nil {
		return checks.Report{}, err
	}
	now := time.Now()
	s, err := status.Of(ctx, d.name, d.prefix, out, d.docker, now)
	if err != nil {
		return checks.Report{}, err
	}
	stack, err := verifiedStack(cfg, out, site.Site{Config: cfg, Host: d.docker.Host(), Local: d.docker.Local()})
	if err != nil {
		return checks.Report{}, err
	}
	stack.Status, stack.Prefix = s, d.prefix
	stack.Test.TLS = d.ownOrTrusted(ctx)
	return verify.Of(ctx, stack, d.docker, now), nil
}

// ownOrTrusted is TLS with this stack's nginx, or with whoever this machine trusts for the name.
func (d deployed) ownOrTrusted(ctx context.Context) *tls.Config {
	own := edge.Own{Read: func(context.Context) (string, error) {
		return d.docker.Exec(ctx, d.prefix, "nginx", edge.CertificatesCommand...)
	}}
	return own.OrTrusted(ctx, func(c tls.ConnectionState, err error) error {
		if edge.Trusted(c) {
			return nil
		}
		return err
	})
}

// verifiedStack is what the checklist is about, by what the stack's file and its outputs say.
func verifiedStack(cfg config.Config, out status.Outputs, at site.Site) (verify.Stack, error) {
	base, connect, err := at.Named(out.URL)
	if err != nil {
		return verify.Stack{}, err
	}
	asked := cfg.Backend.Smoke
	s := verify.Stack{
		Test: smoke.Test{Base: base, Connect: connect, Health: cfg.Backend.HealthPath(),
			Read: asked.Read, Write: asked.Write, Body: asked.Body, Admin: asked.Admin},
		Database: cfg.Database.Kind, Writes: out.Services["backend"].Writes, Nginx: cfg.Nginx.Enabled && !cfg.BehindEdge(),
		Own: cfg.Nginx.TLS.Mode != "acme" || !cfg.Nginx.TLS.ACME.Trusted(),
	}
	s.Dial = edge.Dialer(cfg.Nginx.ProxyProtocol)
	s.Test.Dial = s.Dial
	if asked.Static != "" {
		static, err := url.Parse(out.StaticURL)
		if err != nil {
			return s, err
		}
		s.Test.Static = strings.TrimSuffix(static.Path, "/") + "/" + asked.Static
	}
	shown, err := url.Parse(base)
	if err != nil || shown.Scheme != "https" || !s.Nginx {
		return s, err
	}
	port := shown.Port()
	if port == "" {
		port = "443"
	}
	s.At = net.JoinHostPort(connect, port)
	for _, name := range cfg.Nginx.ServerNames {
		s.Names = append(s.Names, strings.Replace(name, "*.", "www.", 1))
	}
	if len(s.Names) == 0 {
		s.Names = []string{connect}
	}
	return s, nil
}
