// Package e2e proves the stacks on a real engine, through the Pulumi CLI, with
// a state, names, ports, networks and volumes of its own, so that it can run
// beside a user's stack and leaves nothing behind.
//
//	make test-e2e
package e2e
