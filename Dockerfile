# One image; the role is the command: src/producer/main.ts, src/worker/main.ts or src/standalone.ts.
FROM node:24-bookworm-slim

ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
# The image brings its own Node: the one that npm would pin is a dev dependency, and left out.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY src ./src
COPY bin ./bin

RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
ENV STEVEDORE_DATA_DIR=/data \
    STEVEDORE_HOST=0.0.0.0 \
    NODE_COMPILE_CACHE=/tmp/compiled
EXPOSE 7070
CMD ["node", "src/producer/main.ts"]
