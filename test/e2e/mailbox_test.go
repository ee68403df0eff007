//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tarot-platform/internal/certificate"
)

const (
	mailUser     = "alerts"
	mailPassword = "pass word+1"
)

func mailCertificate(t *testing.T, address string) certificate.Pair {
	t.Helper()
	pair, err := certificate.SelfSigned([]byte("mail"), []string{address}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// mailbox is a mail server that takes mail after STARTTLS from mailUser, and
// delivers none.
type mailbox struct {
	t       *testing.T
	address string
	tls     *tls.Config

	mutex sync.Mutex
	mails []letter
}

type letter struct {
	from          string
	to            []string
	subject, text string
}

func newMailbox(t *testing.T, host string) *mailbox {
	t.Helper()
	pair := mailCertificate(t, host)
	cert, err := tls.X509KeyPair([]byte(pair.Certificate), []byte(pair.Key))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	m := &mailbox{t: t, address: listener.Addr().String(), tls: &tls.Config{Certificates: []tls.Certificate{cert}}}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go m.serve(connection)
		}
	}()
	return m
}

func (m *mailbox) all() []letter {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return slices.Clone(m.mails)
}

func (m *mailbox) forget() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.mails = nil
}

// serve is one conversation: RFC 5321, 3207 and 4954, as far as net/smtp goes.
func (m *mailbox) serve(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(time.Minute))
	text := textproto.NewConn(connection)
	say := func(line string) { _ = text.PrintfLine("%s", line) }
	var l letter
	secure, known := false, false
	login := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+mailUser+"\x00"+mailPassword))
	say("220 mailbox")
	for {
		line, err := text.ReadLine()
		if err != nil {
			return
		}
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case word == "EHLO" && !secure:
			say("250-mailbox")
			say("250 STARTTLS")
		case word == "EHLO":
			say("250-mailbox")
			say("250 AUTH PLAIN")
		case word == "STARTTLS" && !secure:
			say("220 go on")
			connection = tls.Server(connection, m.tls)
			text, secure = textproto.NewConn(connection), true
		case line == login && secure:
			known = true
			say("235 welcome")
		case word == "MAIL" && known:
			l = letter{from: address(rest)}
			say("250 ok")
		case word == "RCPT" && known:
			l.to = append(l.to, address(rest))
			say("250 ok")
		case word == "DATA" && known:
			say("354 go on")
			data, err := text.ReadDotBytes()
			if err == nil {
				err = l.read(data)
			}
			if err != nil {
				m.t.Errorf("%v in %s", err, data)
			}
			m.mutex.Lock()
			m.mails = append(m.mails, l)
			m.mutex.Unlock()
			say("250 ok")
		case word == "QUIT":
			say("221 bye")
			return
		default:
			say("503 not now: " + word)
		}
	}
}

// address is that of FROM:<address> and TO:<address>.
func address(argument string) string {
	_, rest, _ := strings.Cut(argument, "<")
	found, _, _ := strings.Cut(rest, ">")
	return found
}

func (l *letter) read(data []byte) error {
	message, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if l.subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return err
	}
	kind, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	part, err := parts.NextPart() // its encoding is undone
	if err != nil {
		return err
	}
	if got := part.Header.Get("Content-Type"); kind != "multipart/alternative" || got != "text/plain; charset=UTF-8" {
		return fmt.Errorf("%s of %s", kind, got)
	}
	body, err := io.ReadAll(part)
	l.text = string(body)
	if _, more := parts.NextPart(); more != io.EOF {
		return fmt.Errorf("more than the text: %v", more)
	}
	return err
}
