"""The state one can look at: traces, interventions, probes, and pictures of them."""
