"""What leaves: a trained model in a file that others read: ONNX, NumPy, JSON, safetensors."""
