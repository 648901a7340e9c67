"""Use cases of redemption: rewards made and shown, points turned into them."""

from app.redemption.service.offering import offer_reward

__all__ = ["offer_reward"]
