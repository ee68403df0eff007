// Command testca is a CA for the end-to-end tests: pebble, Let's Encrypt's own for tests, which
// finds every name at one host. It is in no image of the platform's.
//
//	testca PORT HOST LIFETIME  with its certificate and key in CERTIFICATE and KEY, as PEM
//
// It asks HOST at PORT, and what it issues is good for LIFETIME.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

const resolver = "127.0.0.1:8053"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "testca:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("want a port, a host and a lifetime")
	}
	port, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	lifetime, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	own, err := tls.X509KeyPair([]byte(os.Getenv("CERTIFICATE")), []byte(os.Getenv("KEY")))
	if err != nil {
		return err
	}
	logger := log.New(os.Stdout, "", log.LstdFlags)
	names, err := challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{resolver}, Log: logger})
	if err != nil {
		return err
	}
	names.SetDefaultDNSIPv6("")
	go names.Run()
	go func() { // its address may change
		for ; ; time.Sleep(500 * time.Millisecond) {
			if found, err := net.DefaultResolver.LookupIP(context.Background(), "ip4", args[1]); err == nil && len(found) > 0 {
				names.SetDefaultDNSIPv4(found[0].String())
			}
		}
	}()
	kept := db.NewMemoryStore()
	issuer := ca.New(logger, kept, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: uint64(lifetime / time.Second)}})
	front := wfe.New(logger, kept, va.New(logger, port, 1, false, resolver, kept), issuer, []string{"testca"}, false, false, 0, 0)
	server := &http.Server{Addr: ":14000", Handler: front.Handler(), ReadHeaderTimeout: 10 * time.Second, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}}}
	return server.ListenAndServeTLS("", "")
}
