package components

import (
	"strconv"
	"strings"

	"github.com/pulumi/pulumi-random/sdk/v4/go/random"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/config"
)

// The lengths of generated secrets, in characters of 62: 64 are more than the
// 256 bits that HS256 wants (RFC 7518, section 3.2), 24 are 142 bits.
const (
	jwtKeyLength        = 64
	adminPasswordLength = 24
)

// Credentials are the application's secrets: generated, or the user's own.
type Credentials struct {
	pulumi.ResourceState

	// AdminPassword is the password of the admin pages.
	AdminPassword pulumi.StringOutput
	// GrafanaPassword is the password of Grafana's user admin, where there is one.
	GrafanaPassword pulumi.StringOutput
	// Secrets are all that the application gets.
	Secrets []workload.Secret
}

// NewCredentials declares the secrets. A value that is set with `pulumi config
// set --secret` goes before a generated one.
func NewCredentials(ctx *pulumi.Context, name string, cfg *config.Config, opts ...pulumi.ResourceOption) (*Credentials, error) {
	c := &Credentials{}
	if err := ctx.RegisterComponentResource("tarot:index:Credentials", name, c, opts...); err != nil {
		return nil, err
	}
	jwtKey, err := ownOrGenerated(ctx, name+"-jwt-secret-key", cfg.Secrets["jwtSecretKey"], jwtKeyLength, cfg.SecretVersions.JWTSecretKey, c)
	if err != nil {
		return nil, err
	}
	c.AdminPassword, err = ownOrGenerated(ctx, name+"-admin-password", cfg.Secrets["adminPassword"], adminPasswordLength, cfg.SecretVersions.AdminPassword, c)
	if err != nil {
		return nil, err
	}
	if m := cfg.Monitoring; m.Enabled && m.Grafana.Enabled {
		c.GrafanaPassword, err = ownOrGenerated(ctx, name+"-grafana-password", cfg.Secrets["grafanaPassword"], adminPasswordLength, cfg.SecretVersions.GrafanaPassword, c)
		if err != nil {
			return nil, err
		}
	}
	c.Secrets = []workload.Secret{
		secret("JWT_SECRET_KEY", jwtKey),
		secret("ADMIN_PASSWORD", c.AdminPassword),
	}
	if address := cfg.Secrets["databaseUrl"]; address != "" {
		database := secret("DATABASE_URL", own(address))
		database.Export = "DATABASE_URL" // hardly a program reads its file
		c.Secrets = append(c.Secrets, database)
	}
	for _, variable := range cfg.Backend.Secrets {
		c.Secrets = append(c.Secrets, secret(variable, own(cfg.Secrets[variable])))
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"adminPassword": c.AdminPassword})
}

func secret(variable string, value pulumi.StringOutput) workload.Secret {
	return workload.Secret{Name: strings.ToLower(variable), Variable: variable + "_FILE", Value: value}
}

// own marks a value as secret whatever the stack file says of it.
func own(value string) pulumi.StringOutput {
	return pulumi.ToSecret(pulumi.String(value)).(pulumi.StringOutput)
}

func ownOrGenerated(ctx *pulumi.Context, name, value string, length, version int, parent pulumi.Resource) (pulumi.StringOutput, error) {
	// Declared also where it is not used: going back to the generated value is
	// then going back to the same one.
	args := &random.RandomPasswordArgs{
		Length:  pulumi.Int(length),
		Special: pulumi.Bool(false), // so that it survives every shell and form
	}
	if version > 0 {
		args.Keepers = pulumi.StringMap{"version": pulumi.String(strconv.Itoa(version))}
	}
	generated, err := random.NewRandomPassword(ctx, name, args, pulumi.Parent(parent), pulumi.AdditionalSecretOutputs([]string{"result"}))
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	if value != "" {
		return own(value), nil
	}
	return generated.Result, nil
}
