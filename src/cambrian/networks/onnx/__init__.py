"""ONNX files of networks, and their runs by ONNX Runtime; both come with the extra [export]."""
