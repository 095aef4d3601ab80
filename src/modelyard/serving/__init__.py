"""The data plane: requests to answers. Which versions are served is the control plane's matter."""
