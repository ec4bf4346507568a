import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [react()],
  server: {
    // `make dev` serves the API; this server adds the page with hot reload.
    proxy: { '/api': 'http://localhost:8000' },
  },
  build: { chunkSizeWarningLimit: 700, target: 'es2022', modulePreload: { polyfill: false } },
})
