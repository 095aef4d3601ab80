"""Stock git and git-lfs over HTTP: `git clone http://host/ns/name.git`."""
