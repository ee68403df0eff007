# What many tutorials write: one stage, with a compiler, in case a dependency has
# no wheel, and with all of the folder.
FROM python:3.11-slim
WORKDIR /app
RUN apt-get update && apt-get install -y build-essential
COPY . .
RUN pip install -r requirements.txt
EXPOSE 8000
CMD ["python", "-m", "tarot"]
