// Package version asks what version an image is.
package version

import (
	"context"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// versionTime is how long a registry may take to say what is in an image: it is good to know, and no
// more.
const versionTime = 10 * time.Second

// On asks an image's registry what version the image says that it is, on a platform. Empty:
// it does not say, or nobody could be asked: this machine may reach less than its engine does.
func On(platform string) func(ctx context.Context, exact string) string {
	return func(ctx context.Context, exact string) string {
		ctx, cancel := context.WithTimeout(ctx, versionTime)
		defer cancel()
		reference, err := name.ParseReference(exact)
		if err != nil {
			return ""
		}
		options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
		if wanted, err := v1.ParsePlatform(platform); err == nil && platform != "" {
			options = append(options, remote.WithPlatform(*wanted))
		}
		image, err := remote.Image(reference, options...)
		if err != nil {
			return ""
		}
		file, err := image.ConfigFile()
		if err != nil {
			return ""
		}
		return in(reference.Context().RepositoryStr(), file.Config)
	}
}

// in is the version that an image's labels or variables say: official images have a variable
// of their own name (NGINX_VERSION), and PostgreSQL PG_VERSION.
func in(repository string, config v1.Config) string {
	if said := config.Labels["org.opencontainers.image.version"]; said != "" {
		return oneWord(said)
	}
	program := repository[strings.LastIndex(repository, "/")+1:]
	of := map[string]string{}
	for _, variable := range config.Env {
		name, value, _ := strings.Cut(variable, "=")
		of[name] = value
	}
	if program == "postgres" {
		program = "pg"
	}
	return oneWord(of[strings.ToUpper(strings.ReplaceAll(program, "-", "_"))+"_VERSION"])
}

func oneWord(text string) string { return strings.Join(strings.Fields(text), "-") }
