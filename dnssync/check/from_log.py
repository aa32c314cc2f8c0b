"""x"""
CHECKS=()
