"""The target model: understanding to candidate scripts."""
