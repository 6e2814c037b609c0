"""What a SpamModel owns on a cluster, built purely: records and a document in, plain manifests out."""
