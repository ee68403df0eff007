package runtime

import (
	"fmt"
	"net/netip"

	"github.com/pulumi/pulumi-docker/sdk/v4/go/docker"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"tarot-platform/components/workload"
	"tarot-platform/internal/engine"
)

// network declares a network of the driver. Its subnet is fixed: what the
// application trusts, and what a preview shows, must not depend on what the
// engine has free.
func network(ctx *pulumi.Context, stack Stack, driver string, args Network, parent pulumi.Resource) (*workload.Network, error) {
	full := stack.Prefix + "-" + args.Name
	var pools docker.NetworkIpamConfigArray
	for _, addresses := range []string{args.Subnet, args.Subnet6} {
		if addresses == "" {
			continue
		}
		subnet, err := netip.ParsePrefix(addresses)
		if err != nil {
			return nil, fmt.Errorf("network %s: %w", full, err)
		}
		pools = append(pools, docker.NetworkIpamConfigArgs{
			Subnet: pulumi.String(addresses),
			// The one that the engine would choose. An overlay reports it, and what
			// was not asked for would be a replacement after a refresh.
			Gateway: pulumi.String(subnet.Addr().Next().String()),
		})
	}
	label := docker.NetworkLabelArgs{Label: pulumi.String(stack.Label), Value: pulumi.String(stack.Prefix)}
	declared := &docker.NetworkArgs{
		Name:        pulumi.String(full),
		Driver:      pulumi.String(driver),
		Internal:    pulumi.Bool(args.Internal),
		IpamConfigs: pools,
		Labels:      docker.NetworkLabelArray{docker.NetworkLabelArgs{Label: pulumi.String(stack.Label), Value: pulumi.String(stack.Prefix)}},
	}
	if args.Subnet6 != "" {
		declared.Ipv6 = pulumi.Bool(true)
	}
	if driver == "overlay" {
		declared.Attachable = pulumi.Bool(true) // for the jobs
	}
	if args.Encrypted {
		declared.Options = pulumi.StringMap{engine.EncryptedOption: pulumi.String("true")}
		// The provider takes options that are asked for no more for what it has read. Other labels make it anew.
		declared.Labels = docker.NetworkLabelArray{label, docker.NetworkLabelArgs{Label: pulumi.String(stack.Label + ".encrypted"), Value: pulumi.String("true")}}
	}
	there, err := stack.Engine.HasNetwork(ctx.Context(), stack.Prefix, full)
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", full, err)
	}
	// The engine adds options of its own to those that are asked for, which a refresh reads as another wish: what is
	// as it should be has none. Without any the provider takes what it reads.
	var options []pulumi.ResourceOption
	if args.Encrypted {
		found, there, err := stack.Engine.Network(ctx.Context(), stack.Prefix, args.Name)
		if err != nil {
			return nil, err
		}
		if !there || found.Encrypted { // what is made now is made so
			options = append(options, pulumi.IgnoreChanges([]string{"options"}))
		}
	}
	var after []pulumi.Resource
	if there && args.After != nil {
		after = append(after, args.After.Resource)
	}
	n, err := docker.NewNetwork(ctx, full, declared, append(options, pulumi.Parent(parent), pulumi.DependsOn(after),
		// The name and the subnet are taken until the old network is gone.
		pulumi.DeleteBeforeReplace(true), stack.plan.network(ctx, full, there),
		stack.retryWithoutLeftover(ctx, "network", full, func(name string) (bool, error) { return stack.Engine.RemoveNetwork(ctx.Context(), stack.Prefix, name) }))...)
	if err != nil {
		return nil, fmt.Errorf("network %s: %w", full, err)
	}
	stack.plan.declared(n)
	return &workload.Network{Name: full, Alias: args.Alias, ID: n.ID().ToStringOutput(), Internal: args.Internal, Resource: n}, nil
}
