// The definitions of the Gateway API and of its Inference Extension, of which an example is made.
module weft.dev/cluster/gateway-api

go 1.26.0

require (
	sigs.k8s.io/gateway-api v1.6.3
	sigs.k8s.io/gateway-api-inference-extension v1.0.1
)
