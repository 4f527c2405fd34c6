"""Pictures decoded once, ever: a bounded folder of packs that runs share. Must not know networks or torch."""
