package main

import (
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	csr "k8s.io/kubernetes/pkg/registry/certificates/certificates"
	"k8s.io/kubernetes/pkg/registry/certificates/clustertrustbundle"
	"k8s.io/kubernetes/pkg/registry/certificates/podcertificaterequest"
	"k8s.io/kubernetes/pkg/registry/core/endpoint"
	"k8s.io/kubernetes/pkg/registry/core/event"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
	"k8s.io/kubernetes/pkg/registry/networking/ipaddress"
	"k8s.io/kubernetes/pkg/registry/networking/servicecidr"
	"k8s.io/kubernetes/pkg/registry/node/runtimeclass"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"k8s.io/kubernetes/pkg/registry/storage/csidriver"
	"k8s.io/kubernetes/pkg/registry/storage/csinode"
	"k8s.io/kubernetes/pkg/registry/storage/csistoragecapacity"
	"k8s.io/kubernetes/pkg/registry/storage/storageclass"
	"k8s.io/kubernetes/pkg/registry/storage/volumeattachment"
	"k8s.io/kubernetes/pkg/registry/storage/volumeattributesclass"
)

// The kinds of cases-core.jsonl.
func init() {
	strategies["Endpoints"] = endpoint.Strategy
	strategies["Event"] = event.Strategy
	strategies["Node"] = node.Strategy
	strategies["PersistentVolume"] = persistentvolume.Strategy
	strategies["PersistentVolumeClaim"] = persistentvolumeclaim.Strategy
	strategies["Secret"] = secret.Strategy
	strategies["EndpointSlice"] = endpointslice.Strategy
	strategies["IPAddress"] = ipaddress.Strategy
	strategies["ServiceCIDR"] = servicecidr.Strategy
	strategies["RuntimeClass"] = runtimeclass.Strategy
	strategies["PodDisruptionBudget"] = poddisruptionbudget.Strategy
	strategies["HorizontalPodAutoscaler"] = horizontalpodautoscaler.Strategy
	strategies["CSIDriver"] = csidriver.Strategy
	strategies["CSINode"] = csinode.Strategy
	strategies["CSIStorageCapacity"] = csistoragecapacity.Strategy
	strategies["StorageClass"] = storageclass.Strategy
	strategies["VolumeAttachment"] = volumeattachment.Strategy
	strategies["VolumeAttributesClass"] = volumeattributesclass.Strategy
	strategies["CertificateSigningRequest"] = csr.Strategy
	strategies["ClusterTrustBundle"] = clustertrustbundle.Strategy
	strategies["PodCertificateRequest"] = podcertificaterequest.NewStrategy()

	subresources["Node/status"] = node.StatusStrategy
	subresources["PersistentVolume/status"] = persistentvolume.StatusStrategy
	subresources["PersistentVolumeClaim/status"] = persistentvolumeclaim.StatusStrategy
	subresources["ServiceCIDR/status"] = servicecidr.StatusStrategy
	subresources["PodDisruptionBudget/status"] = poddisruptionbudget.StatusStrategy
	subresources["HorizontalPodAutoscaler/status"] = horizontalpodautoscaler.StatusStrategy
	subresources["CSINode/status"] = csinode.StatusStrategy
	subresources["VolumeAttachment/status"] = volumeattachment.StatusStrategy
	subresources["CertificateSigningRequest/status"] = csr.StatusStrategy
	subresources["CertificateSigningRequest/approval"] = csr.ApprovalStrategy
}
