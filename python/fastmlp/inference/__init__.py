"""What a network computes of samples: outputs, losses, derivatives."""
