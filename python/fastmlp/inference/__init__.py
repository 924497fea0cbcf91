"""Inference: outputs, losses and derivatives for samples."""
