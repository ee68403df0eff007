"""The database, by the settings."""

from pydantic_settings import BaseSettings
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker


class Settings(BaseSettings):
    """What the environment says."""

    database_url: str = "sqlite:///./notes.db"


settings = Settings()
engine = create_engine(settings.database_url, connect_args={"timeout": 20})
SessionLocal = sessionmaker(bind=engine)


class Base(DeclarativeBase):
    """All tables."""


class Note(Base):
    """A note."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String)
