// Names the published modules that kindgen reads facts from. Nothing here is compiled or linked.
module atoll.dev/tools/kindgen

go 1.22

require (
	k8s.io/api v0.36.0
	k8s.io/apiextensions-apiserver v0.36.0
	k8s.io/apimachinery v0.36.0
	k8s.io/kube-aggregator v0.36.0
	k8s.io/kubernetes v1.36.0
)
