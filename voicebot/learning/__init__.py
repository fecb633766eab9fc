"""Learning: scored feedback becomes samples, samples become a better target model (目标模型)."""
