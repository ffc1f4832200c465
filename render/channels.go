package render

import corev1 "k8s.io/api/core/v1"

// ChannelsSecret is the Secret with the addresses of the channels that the agent tells of requests:
// each key is a channel. A channel without one is not told.
const ChannelsSecret = "pullgrant-channels"

// ChannelsFolder is where the agent's container finds them.
const ChannelsFolder = "/channels"

func channelsMount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: "channels", MountPath: ChannelsFolder, ReadOnly: true}
}

// channelsVolume may be without the Secret: messages hold up no grant.
func channelsVolume(mode *int32) corev1.Volume {
	yes := true
	return corev1.Volume{Name: "channels", VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: ChannelsSecret, DefaultMode: mode, Optional: &yes}}}
}
