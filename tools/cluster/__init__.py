"""A one-node Kubernetes cluster with KubeRay for the tests: kind where Docker answers, else one of bare processes."""
