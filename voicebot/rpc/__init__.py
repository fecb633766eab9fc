"""gRPC between processes: the only room that knows grpc."""
