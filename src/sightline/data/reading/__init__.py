"""Every picture read once, and what that tells: records for a training, measures and signatures for a check."""
