"""Serving: the data plane beside MLServer, KServe, BentoML, MLflow, Ray Serve and LitServe."""
