package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"tarot-platform/components/part"
	"tarot-platform/internal/picture"
)

func pictureCommand() *cobra.Command {
	var kind string
	var into []string
	cmd := &cobra.Command{
		Use:   "picture [STACK]",
		Short: "a stack as a picture, in Mermaid: who asks whom on which networks, or who has which volume",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, file := range into {
				if err := drawInto(fromHere(file)); err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
			}
			switch {
			case len(args) > 0:
				text, err := draw(args[0], kind)
				if err == nil {
					_, err = io.WriteString(cmd.OutOrStdout(), text)
				}
				return err
			case len(into) == 0:
				return errors.New("which stack?")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "of", picture.Requests, "what: "+picture.Requests+" or "+picture.Volumes)
	cmd.Flags().StringArrayVar(&into, "into", nil, "a document, whose pictures are drawn anew (`make docs`)")
	return cmd
}

// draw draws a stack, as its file says. Its secrets are left out, and nobody is asked.
func draw(stack, kind string) (string, error) {
	name, err := project()
	if err != nil {
		return "", err
	}
	file := "Pulumi." + stack + ".yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	cfg, err := configurationOf(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	if cfg.Nginx.TLS.Mode == "given" { // the certificate may be a secret, and is in no picture
		cfg.Nginx.TLS.Mode = "selfSigned"
	}
	described, err := collect(cfg, name+"-"+stack, "")
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return picture.Draw(picture.Stack{Parts: described, Networks: part.Networks(cfg), Copied: cfg.Backup.Enabled}, kind)
}

func drawInto(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	filled, err := fillDocument(string(text))
	if err != nil || filled == string(text) {
		return err
	}
	return os.WriteFile(file, []byte(filled), 0o644) //nolint:gosec // a document
}

func fillDocument(text string) (string, error) { return picture.Fill(text, draw) }
