"""The Open Inference Protocol over gRPC, on the same plane as over HTTP."""
