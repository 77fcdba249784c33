// What holds a pod's network while its containers come and go.
module weft.dev/cluster/pause

go 1.21
