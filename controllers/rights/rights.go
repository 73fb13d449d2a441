// Package rights tells what the operator may do in a namespace, by asking the
// API server, and compares it with the operator's role.
//
// It is there because a cache waits for every namespace that it is made for: one
// that the operator may not read would keep it from serving all the others. It
// grants nothing and must not read any object.
package rights

import (
	"context"
	_ "embed" // for the role
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// manifest is the operator's role: a copy of config/rbac/role.yaml.
//
//go:embed role.yaml
var manifest []byte

// Right is one verb on one resource.
type Right struct{ Group, Resource, Verb string }

// String is the right as one says it: "list secrets", "patch deployments.apps".
func (r Right) String() string {
	if r.Group == "" {
		return r.Verb + " " + r.Resource
	}
	return r.Verb + " " + r.Resource + "." + r.Group
}

// Reads tells that the cache cannot do without the right.
func (r Right) Reads() bool { return r.Verb == "list" || r.Verb == "watch" }

// OfRole are the rights of the operator's role.
func OfRole() ([]Right, error) {
	var role rbacv1.ClusterRole
	if err := yaml.UnmarshalStrict(manifest, &role); err != nil {
		return nil, fmt.Errorf("the operator's role: %w", err)
	}
	var out []Right
	for _, rule := range role.Rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					out = append(out, Right{group, resource, verb})
				}
			}
		}
	}
	return out, nil
}

// Missing tells which of the wanted rights the client lacks in a namespace; the
// empty one stands for all namespaces. A namespace that does not exist is one
// in which nobody has been granted anything.
func Missing(ctx context.Context, c client.Client, namespace string, wanted []Right) ([]Right, error) {
	var told []authorizationv1.ResourceRule
	if namespace != "" { // the question has no form for all namespaces
		review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
		if err := c.Create(ctx, review); err != nil {
			return nil, fmt.Errorf("ask for the operator's rights in %s: %w", namespace, err)
		}
		told = review.Status.ResourceRules
	}
	var missing []Right
	for _, right := range wanted {
		if slices.ContainsFunc(told, func(r authorizationv1.ResourceRule) bool { return covers(r, right) }) {
			continue
		}
		// An authorizer other than RBAC may allow it without telling it in a list.
		allowed, err := allows(ctx, c, namespace, right)
		if err != nil {
			return nil, err
		}
		if !allowed {
			missing = append(missing, right)
		}
	}
	return missing, nil
}

func covers(rule authorizationv1.ResourceRule, r Right) bool {
	has := func(list []string, s string) bool { return slices.Contains(list, s) || slices.Contains(list, "*") }
	return len(rule.ResourceNames) == 0 && has(rule.APIGroups, r.Group) && has(rule.Resources, r.Resource) && has(rule.Verbs, r.Verb)
}

func allows(ctx context.Context, c client.Client, namespace string, r Right) (bool, error) {
	resource, subresource, _ := strings.Cut(r.Resource, "/")
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: namespace, Group: r.Group, Resource: resource, Subresource: subresource, Verb: r.Verb,
		},
	}}
	if err := c.Create(ctx, review); err != nil {
		return false, fmt.Errorf("ask whether the operator may %s: %w", r, err)
	}
	return review.Status.Allowed, nil
}
