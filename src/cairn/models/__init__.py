"""What holds weights: backbones, and what runs them and makes descriptors of what they see."""
